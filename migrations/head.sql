-- The newest schema, for an empty database. Taken of the migrations, not written by hand:
-- python -m seamless_queue.migrations.snapshot
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE attempts (
    id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    worker_id INTEGER,
    outcome INTEGER NOT NULL,
    exit_code INTEGER,
    error TEXT,
    result BLOB,
    stdout BLOB,
    stderr BLOB,
    started FLOAT,
    finished FLOAT NOT NULL,
    user_time FLOAT,
    system_time FLOAT,
    peak_memory INTEGER, environment BLOB, marks TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX ix_attempts_job_id ON attempts (job_id);
CREATE TABLE buffers (
    checksum BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (checksum)
);
CREATE TABLE contexts (
    checksum BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (checksum)
);
CREATE TABLE dependencies (
    id INTEGER NOT NULL,
    request_id INTEGER NOT NULL,
    pin BLOB NOT NULL,
    upstream_id INTEGER,
    output BLOB NOT NULL,
    part BLOB NOT NULL,
    path BLOB NOT NULL,
    checksum BLOB,
    PRIMARY KEY (id)
);
CREATE INDEX dependencies_open ON dependencies (request_id) WHERE checksum IS NULL;
CREATE INDEX dependencies_watched ON dependencies (path) WHERE checksum IS NULL AND upstream_id IS NULL;
CREATE INDEX ix_dependencies_request_id ON dependencies (request_id);
CREATE INDEX ix_dependencies_upstream_id ON dependencies (upstream_id);
CREATE TABLE facts (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE jobs (
    id INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    state INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    worker_id INTEGER,
    fence INTEGER DEFAULT '0' NOT NULL,
    deaths INTEGER DEFAULT '0' NOT NULL,
    retries INTEGER DEFAULT '0' NOT NULL,
    timeout FLOAT,
    result BLOB,
    created FLOAT NOT NULL,
    started FLOAT,
    finished FLOAT, scratch INTEGER DEFAULT '0' NOT NULL, evicted FLOAT, resources TEXT, passed_over FLOAT, devices TEXT,
    PRIMARY KEY (id),
    UNIQUE (checksum)
);
CREATE INDEX jobs_of_worker ON jobs (worker_id) WHERE worker_id IS NOT NULL;
CREATE TABLE outputs (
    request_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    name BLOB NOT NULL,
    pending INTEGER DEFAULT '1' NOT NULL,
    PRIMARY KEY (request_id, path)
);
CREATE INDEX outputs_by_path ON outputs (path, request_id);
CREATE INDEX outputs_pending ON outputs (path) WHERE pending = 1;
CREATE TABLE requests (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL,
    job_id INTEGER,
    lane INTEGER NOT NULL,
    command TEXT NOT NULL,
    directory BLOB NOT NULL,
    specification BLOB,
    context BLOB,
    outputs INTEGER NOT NULL,
    sidecars_only INTEGER DEFAULT '0' NOT NULL,
    priority INTEGER DEFAULT '0' NOT NULL,
    timeout FLOAT,
    retries INTEGER DEFAULT '0' NOT NULL,
    refresh INTEGER DEFAULT '0' NOT NULL,
    project TEXT,
    stage TEXT,
    deliverer INTEGER,
    created FLOAT NOT NULL,
    finished FLOAT,
    error TEXT
, parent INTEGER, scratch INTEGER DEFAULT '0' NOT NULL, metavariables TEXT, resources TEXT);
CREATE INDEX ix_requests_job_id ON requests (job_id);
CREATE INDEX requests_delivering ON requests (deliverer) WHERE deliverer IS NOT NULL;
CREATE INDEX requests_live ON requests (state, lane) WHERE state < 4;
CREATE TABLE sessions (
    id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started INTEGER NOT NULL,
    address TEXT NOT NULL,
    workers INTEGER NOT NULL,
    draining INTEGER DEFAULT '0' NOT NULL,
    paused TEXT,
    created FLOAT NOT NULL,
    lease_until FLOAT NOT NULL,
    ended FLOAT, resources TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX sessions_live ON sessions (id) WHERE ended IS NULL;
CREATE TABLE stat_cache (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (device, inode)
)
 WITHOUT ROWID;
CREATE TABLE workers (
    id INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    process_started INTEGER NOT NULL,
    created FLOAT NOT NULL,
    ended FLOAT,
    PRIMARY KEY (id)
);
CREATE INDEX ix_workers_session_id ON workers (session_id);
CREATE INDEX requests_of_parent ON requests (parent) WHERE parent IS NOT NULL;
CREATE TABLE environments (
    checksum BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (checksum)
);
CREATE TABLE makers (
    checksum BLOB NOT NULL,
    job_id INTEGER NOT NULL,
    PRIMARY KEY (checksum, job_id)
)
 WITHOUT ROWID;
CREATE TABLE uploads (
    checksum BLOB NOT NULL,
    path BLOB NOT NULL,
    created FLOAT NOT NULL,
    PRIMARY KEY (checksum, path)
)
 WITHOUT ROWID;
CREATE INDEX jobs_by_result ON jobs (result) WHERE result IS NOT NULL;
CREATE INDEX jobs_scratch ON jobs (id) WHERE scratch = 1 AND evicted IS NULL;
CREATE INDEX jobs_claimable ON jobs (lane, priority DESC, id) WHERE state = 0 AND worker_id IS NULL AND resources IS NULL;
CREATE INDEX jobs_demanding ON jobs (resources, priority DESC, id) WHERE state = 0 AND worker_id IS NULL AND resources IS NOT NULL;
CREATE INDEX jobs_holding ON jobs (worker_id) WHERE worker_id IS NOT NULL AND resources IS NOT NULL;
INSERT INTO alembic_version (version_num) VALUES ('0004');
PRAGMA user_version = 4;
