"""The command line of doctor: what it prints, its exit codes, its options."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from checks.test_check_examples import FILE_CHECKS, written
from support.forked import tidegate_in

BAD = FILE_CHECKS["database-host-unknown"].BAD


def doctor(
    root: Path, *argv: str, before: tuple[str, ...] = (), stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return tidegate_in(root, *before, "doctor", *argv, stdin=stdin)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    written(tmp_path, BAD)
    return tmp_path


def test_a_finding_names_both_places(bad: Path) -> None:
    """The report has the rule, the line, the other line, the mend, and ends with counts."""
    done = doctor(bad)
    assert done.returncode == 1
    assert "error  database-host-unknown  compose.yaml:5" in done.stdout
    assert "also compose.yaml:6" in done.stdout
    assert 'prints: could not translate host name "database" to address' in done.stdout
    assert "next: write db in place of database in DATABASE_URL" in done.stdout
    assert done.stdout.rstrip().endswith(
        "1 error in 2 files; tidegate doctor --fix can mend 1 of them"
    )
    assert "shop:shop" not in done.stdout + done.stderr


def test_json_is_one_document(bad: Path) -> None:
    """stdout is the contract's object and nothing else."""
    done = doctor(bad, before=("--format", "json"))
    found = json.loads(done.stdout)
    assert [one["rule"] for one in found["findings"]] == ["database-host-unknown"]
    assert found["findings"][0]["fixable"] is True
    assert found["checked"] == ["Dockerfile", "compose.yaml"]
    assert done.stderr == ""


def test_nothing_wrong_is_0(tmp_path: Path) -> None:
    """A project without a finding."""
    written(tmp_path, FILE_CHECKS["database-host-unknown"].GOOD)
    done = doctor(tmp_path)
    assert (done.returncode, done.stdout) == (0, "nothing wrong in 2 files\n")


def test_fail_on(tmp_path: Path) -> None:
    """A warning alone is 0, and 1 with --fail-on warning, also from the settings."""
    written(tmp_path, FILE_CHECKS["database-image-floats"].BAD)
    assert doctor(tmp_path).returncode == 0
    assert doctor(tmp_path, "--fail-on", "warning").returncode == 1
    (tmp_path / "pyproject.toml").write_text('[tool.tidegate.doctor]\nfail-on = "warning"\n')
    assert doctor(tmp_path).returncode == 1


def test_findings_can_be_let_be(bad: Path) -> None:
    """By a comment above the line, or for the project in its settings."""
    text = BAD["compose.yaml"].replace(
        "      DATABASE_URL", "      # tidegate: allow database-host-unknown\n      DATABASE_URL"
    )
    (bad / "compose.yaml").write_text(text)
    assert doctor(bad).returncode == 0
    (bad / "compose.yaml").write_text(BAD["compose.yaml"])
    (bad / "tidegate.toml").write_text('[doctor]\nignore = ["database-host-unknown"]\n')
    assert doctor(bad).returncode == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--fast",), "doctor does not take --fast"),
        (("--fail-on", "fatal"), "--fail-on is 'fatal'"),
        (("--error",), "--error has no value"),
    ],
)
def test_wrong_usage_is_2(argv: tuple[str, ...], said: str, bad: Path) -> None:
    """One message, without a traceback."""
    done = doctor(bad, *argv)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_compose_file_that_is_not_there(bad: Path) -> None:
    """`-f` names the file that is missing."""
    done = doctor(bad, before=("-f", "other.yaml"))
    assert done.returncode == 2
    assert "other.yaml: there is no such file" in done.stderr


def test_an_error_is_explained_by_what_is_here(bad: Path) -> None:
    """The findings that print such a text come first, with their places."""
    done = doctor(bad, "--error", 'could not translate host name "database" to address')
    assert done.returncode == 1
    assert "This project has what prints that:\n  database-host-unknown:" in done.stdout
    assert "compose.yaml:5" in done.stdout


def test_a_log_is_read_from_stdin(bad: Path) -> None:
    """`--error -` takes a whole log."""
    log = (
        'web-1  | Traceback\nweb-1  | psycopg.OperationalError: failed to resolve host "database"\n'
    )
    done = doctor(bad, "--error", "-", stdin=log)
    assert "database-host-unknown" in done.stdout


def test_an_error_of_elsewhere_is_explained_in_general(tmp_path: Path) -> None:
    """Without a finding here it says what prints such a text, and ends with 0."""
    done = doctor(tmp_path, "--error", "exec /run.sh: exec format error")
    assert done.returncode == 0
    assert "script-without-shebang: The start script does not say" in done.stdout
    assert doctor(tmp_path, "--error", "the moon is full").stdout.startswith(
        "No check knows that text."
    )


def test_fix_asks_first(bad: Path) -> None:
    """Without a terminal and without --yes the diff is shown and nothing is written."""
    done = doctor(bad, "--fix")
    assert done.returncode == 1
    assert "+      DATABASE_URL: postgresql://postgres:***@db:5432/postgres" in done.stderr
    assert "nothing was written" in done.stderr
    assert (bad / "compose.yaml").read_text() == BAD["compose.yaml"]


def test_fix_with_yes(bad: Path) -> None:
    """It writes, says what changed in the Compose configuration, and ends with 0."""
    done = doctor(bad, "--fix", "--yes")
    assert done.returncode == 0
    assert "Compose configuration: services.web.environment.DATABASE_URL changed" in done.stderr
    assert (bad / "compose.yaml").read_text() == BAD["compose.yaml"].replace("@database", "@db")


@pytest.mark.parametrize(("answer", "written_"), [("y", True), ("n", False)])
def test_fix_at_a_terminal(answer: str, written_: bool, bad: Path) -> None:
    """A person's y writes, anything else does not."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tidegate", "--project", str(bad), "doctor", "--fix"]
    with subprocess.Popen(
        command, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        os.write(leader, f"{answer}\n".encode())
        child.communicate(timeout=60)
    os.close(leader)
    os.close(follower)
    assert ((bad / "compose.yaml").read_text() != BAD["compose.yaml"]) is written_


def test_without_the_extra_it_says_so(bad: Path) -> None:
    """A missing parser is one message that names the extra, and 2."""
    hide = "import sys; sys.modules['yaml'] = None; from tidegate.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", hide, "--project", str(bad), "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'tidegate[doctor]'" in done.stderr


def test_the_worst_comes_first_and_the_same_once(bad: Path) -> None:
    """A finding that two Compose files share is one paragraph, and stands above a lesser one."""
    text = (bad / "compose.yaml").read_text()
    file = (bad / "Dockerfile").read_text()
    (bad / "Dockerfile").write_text(file.replace('["gunicorn", "shop.wsgi"]', "gunicorn shop.wsgi"))
    (bad / "compose.prod.yaml").write_text(text)
    said = doctor(bad).stdout
    assert said.startswith("error  database-host-unknown  compose.prod.yaml:5\n")
    assert said.count("database-host-unknown") == 1
    assert "  also compose.yaml:5  the same\n" in said
    assert said.index("error  ") < said.index("warning  ")
    found = json.loads(doctor(bad, before=("--format", "json")).stdout)["findings"]
    assert [one["rule"] for one in found].count("database-host-unknown") == 2
    assert "at the first connection" in [one.get("when") for one in found]


def test_an_empty_log_asks_the_engine(bad: Path) -> None:
    """A container that never ran has no log: that is said, and the project is looked at."""
    done = doctor(bad, "--error", "-", stdin="\n")
    assert "a container that never ran has no log" in done.stderr
    assert "database-host-unknown" in done.stdout


def test_a_name_in_an_env_file_is_mended(tmp_path: Path) -> None:
    """The host is corrected where it stands, also outside of the Compose file."""
    compose = "services:\n  web:\n    build: .\n    env_file: .env.dev\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: shop\n"
    tree = {**BAD, "compose.yaml": compose, ".env.dev": "SQL_HOST=database\nSQL_PORT=5432\n"}
    written(tmp_path, tree)
    assert doctor(tmp_path, "--fix", "--yes").returncode == 0
    assert (tmp_path / ".env.dev").read_text() == "SQL_HOST=db\nSQL_PORT=5432\n"


@pytest.mark.parametrize("form", ["sarif", "gitlab", "markdown"])
def test_a_sentence_ends_once(form: str, bad: Path) -> None:
    """Messages are sentences: no format puts a second full stop behind them."""
    said = doctor(bad, before=("--format", form)).stdout
    assert "no service has that name" in said or "Next: " in said
    assert ".." not in said.replace("../", "")
