"""No value that looks like a secret is recorded."""

import pytest

from seamless.transformer.redaction import NOT_RECORDED, keepable, looks_secret, recorded


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("GITHUB_TOKEN", "x", True),
        ("aws_secret_access_key", "x", True),
        ("DB_PWD", "x", True),
        ("PGPASSWORD", "x", True),
        ("SSH_AUTH_SOCK", "/tmp/x", True),
        ("HTTPS_PROXY", "http://me:word@proxy:1", True),
        ("X", "eyJhbGciOi", True),
        ("X", "-----BEGIN PRIVATE", True),
        ("DB_PW", "x", True),
        ("PGPW", "x", True),
        ("dbPw", "x", True),
        ("MYSQL_PASS", "x", True),
        ("MY_PASSWD", "x", True),
        ("FTP_CREDS", "x", True),
        ("SESSION_ID", "x", True),
        ("PIN", "1234", True),
        ("card_pin", "1234", True),
        ("GITHUB_PAT", "x", True),
        ("OPTS", "--password=hunter2", True),
        ("OPTS", "--verbose --db-password hunter2", True),
        ("OPTS", "host=db user=me password=hunter2", True),
        ("CURL", "-s -u me:hunter2", True),
        ("HEADER", "Authorization: Bearer hunter2", True),
        ("HEADER", "X-Api-Key: hunter2", True),
        ("JSON", '{"a": 1, "password": "hunter2"}', True),
        ("NPM", "npm_abcdefgh12345", True),
        ("X", "id AKIAIOSFODNN7EXAMPLE", True),
        ("X", "jwt is eyJhbGciOiJIUzI1NiJ9.e30.x", True),
        ("X", "one http://a/b, two amqp://me:word@host/q", True),
        ("X", "redis://:hunter2@host", True),
        ("X", "postgres://me:wo/rd@host/base", True),
        ("X", "https://a/b?sig=abc", True),
        ("HTTPS_PROXY", "http://proxy:1/a@b", False),
        ("PATH", "/usr/bin:/bin", False),
        ("LANG", "C.UTF-8", False),
        ("PINNED", "1", False),
        ("XPATH", "1", False),
        ("PATH", "/opt/keys:/opt/token:/usr/bin", False),
        ("CFLAGS", "-O2 -pthread -I/opt/include", False),
        ("OMP_NUM_THREADS", "3", False),
        ("URL", "http://host:80/a@b", False),
        ("LS", "di=01;34:ln=01;36", False),
    ],
)
def test_looks_secret(name: str, value: str, is_secret: bool) -> None:
    assert looks_secret(name, value) is is_secret
    assert recorded({name: value}) == {name: NOT_RECORDED if is_secret else value}
    assert keepable({name: value}) == ({} if is_secret else {name: value})


@pytest.mark.parametrize("name", ["PWD", "OLDPWD"])
def test_the_working_directory_is_no_secret(name: str) -> None:
    assert not looks_secret(name, "/home/me")


def test_what_just_passes_is_left_out_and_long_values_are_shortened() -> None:
    found = recorded({"PWD": "/x", "SHLVL": "3", "LONG": "x" * 5000})
    assert set(found) == {"LONG"}
    assert len(found["LONG"]) < 300
    assert "(5000 characters, crc32 " in found["LONG"]


def test_long_values_are_looked_at_quickly() -> None:
    for piece in ("token", "://", "://a:", "-key ", "a"):
        assert not looks_secret("X", piece * (100_000 // len(piece)))
