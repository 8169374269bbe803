"""The tables of a store, for everything that is not hot: migrations, status, reports.

The hot path (`seamless_queue.broker`) speaks SQL to the same tables; a test prepares each of its
statements on the migrated schema. Checksums are 32-byte blobs, paths are the file system's bytes,
times are seconds since the epoch, states are the numbers of `broker.states`.
"""

from __future__ import annotations

from sqlalchemy import Float, Index, Integer, LargeBinary, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of a store."""


class Fact(Base):
    """What is true of the whole store: its id, its digest."""

    __tablename__ = "facts"
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class SmallBuffer(Base):
    """A buffer small enough to live in the database, so that a small job is one transaction."""

    __tablename__ = "buffers"
    checksum: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class StatEntry(Base):
    """The checksum that a file had when its status was this."""

    __tablename__ = "stat_cache"
    __table_args__ = {"sqlite_with_rowid": False}
    device: Mapped[int] = mapped_column(Integer, primary_key=True)
    inode: Mapped[int] = mapped_column(Integer, primary_key=True)
    size: Mapped[int] = mapped_column(Integer)
    mtime_ns: Mapped[int] = mapped_column(Integer)
    ctime_ns: Mapped[int] = mapped_column(Integer)
    checksum: Mapped[bytes] = mapped_column(LargeBinary)


class Context(Base):
    """What a request's command is given beside its identity: environment, meta variables.

    Kept only while a live request needs it, because an environment holds secrets.
    """

    __tablename__ = "contexts"
    checksum: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Environment(Base):
    """What an attempt found around it: machine, interpreter, tools, variables; as JSON."""

    __tablename__ = "environments"
    checksum: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Maker(Base):
    """A buffer that is a file of a job's result, beside the result itself, which is an index."""

    __tablename__ = "makers"
    __table_args__ = {"sqlite_with_rowid": False}
    checksum: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    job_id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Upload(Base):
    """A buffer that somebody has put here to stay, and the file that it was: kept until it is unpinned."""

    __tablename__ = "uploads"
    __table_args__ = {"sqlite_with_rowid": False}
    checksum: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created: Mapped[float] = mapped_column(Float)


class Session(Base):
    """A process that runs jobs: a queue server, an inline command, a Python session."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[int] = mapped_column(Integer)
    host: Mapped[str] = mapped_column(Text)
    boot: Mapped[str] = mapped_column(Text)
    pid_namespace: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    process_started: Mapped[int] = mapped_column(Integer)
    address: Mapped[str] = mapped_column(Text)
    workers: Mapped[int] = mapped_column(Integer)
    draining: Mapped[int] = mapped_column(Integer, server_default="0")
    paused: Mapped[str | None] = mapped_column(Text)
    created: Mapped[float] = mapped_column(Float)
    lease_until: Mapped[float] = mapped_column(Float)
    ended: Mapped[float | None] = mapped_column(Float)
    #: what a server offers to the jobs that it runs, as JSON
    resources: Mapped[str | None] = mapped_column(Text)


Index("sessions_live", Session.id, sqlite_where=text("ended IS NULL"))


class Worker(Base):
    """A process of a session that claims and runs jobs; its host and lease are its session's."""

    __tablename__ = "workers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    session_id: Mapped[int] = mapped_column(Integer, index=True)
    pid: Mapped[int] = mapped_column(Integer)
    process_started: Mapped[int] = mapped_column(Integer)
    created: Mapped[float] = mapped_column(Float)
    ended: Mapped[float | None] = mapped_column(Float)


class Job(Base):
    """One identity and the state of its execution. Rows stay narrow: a million of them is normal."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    checksum: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    state: Mapped[int] = mapped_column(Integer)
    #: 0: any queue server of the store; else the id of the one session that may claim it
    lane: Mapped[int] = mapped_column(Integer)
    priority: Mapped[int] = mapped_column(Integer)
    #: who has reserved it (ready), runs it (running) or is to stop it (canceled)
    worker_id: Mapped[int | None] = mapped_column(Integer)
    #: grows with every attempt; only the holder of the newest token can publish
    fence: Mapped[int] = mapped_column(Integer, server_default="0")
    deaths: Mapped[int] = mapped_column(Integer, server_default="0")
    retries: Mapped[int] = mapped_column(Integer, server_default="0")
    timeout: Mapped[float | None] = mapped_column(Float)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    created: Mapped[float] = mapped_column(Float)
    started: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)
    #: 1: nobody has asked for the bytes of the result to be kept
    scratch: Mapped[int] = mapped_column(Integer, server_default="0")
    #: when the bytes of the result were given up, or found gone; the job still tells which they were
    evicted: Mapped[float | None] = mapped_column(Float)
    #: what it needs of a server beside one processor, as JSON (broker/resources.py); only in the queue's lane
    resources: Mapped[str | None] = mapped_column(Text)
    #: since when jobs that come after it have been started, because it did not fit
    passed_over: Mapped[float | None] = mapped_column(Float)
    #: the GPUs that it was given, while it holds them
    devices: Mapped[str | None] = mapped_column(Text)


Index(
    "jobs_claimable",
    Job.lane,
    Job.priority.desc(),
    Job.id,
    sqlite_where=text("state = 0 AND worker_id IS NULL AND resources IS NULL"),
)
Index(
    "jobs_demanding",
    Job.resources,
    Job.priority.desc(),
    Job.id,
    sqlite_where=text("state = 0 AND worker_id IS NULL AND resources IS NOT NULL"),
)
Index("jobs_holding", Job.worker_id, sqlite_where=text("worker_id IS NOT NULL AND resources IS NOT NULL"))
Index("jobs_of_worker", Job.worker_id, sqlite_where=text("worker_id IS NOT NULL"))
Index("jobs_by_result", Job.result, sqlite_where=text("result IS NOT NULL"))
Index("jobs_scratch", Job.id, sqlite_where=text("scratch = 1 AND evicted IS NULL"))


class Request(Base):
    """One caller's wish for a job's result."""

    __tablename__ = "requests"
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[int] = mapped_column(Integer)
    job_id: Mapped[int | None] = mapped_column(Integer, index=True)
    #: 0: wants the queue to run it; else the session that asks
    lane: Mapped[int] = mapped_column(Integer)
    command: Mapped[str] = mapped_column(Text)
    directory: Mapped[bytes] = mapped_column(LargeBinary)
    #: what its identity will be computed from; NULL where it was known at submit
    specification: Mapped[bytes | None] = mapped_column(LargeBinary)
    context: Mapped[bytes | None] = mapped_column(LargeBinary)
    outputs: Mapped[int] = mapped_column(Integer)
    sidecars_only: Mapped[int] = mapped_column(Integer, server_default="0")
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    timeout: Mapped[float | None] = mapped_column(Float)
    retries: Mapped[int] = mapped_column(Integer, server_default="0")
    refresh: Mapped[int] = mapped_column(Integer, server_default="0")
    project: Mapped[str | None] = mapped_column(Text)
    stage: Mapped[str | None] = mapped_column(Text)
    #: the worker or session that writes the output files just now, as deliverer token
    deliverer: Mapped[int | None] = mapped_column(Integer)
    created: Mapped[float] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None] = mapped_column(Text)
    #: the job whose code has made this request: a transformation inside another one
    parent: Mapped[int | None] = mapped_column(Integer)
    #: 1: the bytes of the result need not be kept
    scratch: Mapped[int] = mapped_column(Integer, server_default="0")
    #: variables of the command that are not part of its identity, as JSON; kept, so that it can be run again
    metavariables: Mapped[str | None] = mapped_column(Text)
    #: what its job needs of a server, as JSON
    resources: Mapped[str | None] = mapped_column(Text)


Index("requests_live", Request.state, Request.lane, sqlite_where=text("state < 4"))
Index("requests_delivering", Request.deliverer, sqlite_where=text("deliverer IS NOT NULL"))
Index("requests_of_parent", Request.parent, sqlite_where=text("parent IS NOT NULL"))


class Output(Base):
    """A file or directory that a request writes when its job is done."""

    __tablename__ = "outputs"
    request_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: what the job calls it
    name: Mapped[bytes] = mapped_column(LargeBinary)
    #: 1 from submit until its .FUTURE is gone
    pending: Mapped[int] = mapped_column(Integer, server_default="1")


Index("outputs_by_path", Output.path, Output.request_id)
Index("outputs_pending", Output.path, sqlite_where=text("pending = 1"))


class Dependency(Base):
    """An input of a request that was not known at submit."""

    __tablename__ = "dependencies"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    request_id: Mapped[int] = mapped_column(Integer, index=True)
    pin: Mapped[bytes] = mapped_column(LargeBinary)
    #: the request whose output it is; NULL: a .FUTURE of another store, which is watched
    upstream_id: Mapped[int | None] = mapped_column(Integer, index=True)
    #: the upstream's name for the output, and where in it (or in the pin) the wanted part lies
    output: Mapped[bytes] = mapped_column(LargeBinary)
    part: Mapped[bytes] = mapped_column(LargeBinary)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    #: the upstream's result, once there is one; of a watched file its own checksum
    checksum: Mapped[bytes | None] = mapped_column(LargeBinary)


Index("dependencies_open", Dependency.request_id, sqlite_where=text("checksum IS NULL"))
Index("dependencies_watched", Dependency.path, sqlite_where=text("checksum IS NULL AND upstream_id IS NULL"))


class Attempt(Base):
    """One execution of a job by one worker, however it ended."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[int] = mapped_column(Integer, index=True)
    fence: Mapped[int] = mapped_column(Integer)
    session_id: Mapped[int] = mapped_column(Integer)
    worker_id: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[int] = mapped_column(Integer)
    exit_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    stdout: Mapped[bytes | None] = mapped_column(LargeBinary)
    stderr: Mapped[bytes | None] = mapped_column(LargeBinary)
    started: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float] = mapped_column(Float)
    #: seconds
    user_time: Mapped[float | None] = mapped_column(Float)
    #: seconds
    system_time: Mapped[float | None] = mapped_column(Float)
    #: bytes
    peak_memory: Mapped[int | None] = mapped_column(Integer)
    #: in what surroundings it ran
    environment: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: when it had written how much: a JSON list of [seconds since its start, bytes of stdout, bytes of stderr]
    marks: Mapped[str | None] = mapped_column(Text)
