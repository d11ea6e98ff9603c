"""What a person or a machine reads: stdout is the answer's alone, and a slip of the pen is told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from support.gate import APP, Database, Runner
from support.projects import SmallProject, put

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]
NOISE = 'import subprocess\nprint("NOISE")\nsubprocess.run(["echo", "NOISE of a child"])\n'


@pytest.fixture
def noisy(make_project: MakeProject) -> SmallProject:
    """A project whose settings, and whose first step, print."""
    project = make_project("django")
    settings = project.root / "config" / "settings.py"
    put(settings, NOISE + settings.read_text())
    first = project.files[project.ids[0]]
    put(first, NOISE + first.read_text())
    return project


def test_project_code_that_prints(tidegate: Runner, noisy: SmallProject, fresh: Fresh):
    """What settings and steps print, children too, is on stderr; stdout is one document."""
    database = fresh("sqlite")

    def asked(*words: str) -> object:
        done = tidegate(*words, cwd=noisy.root, env=database.environ)
        assert done.code == 0, done.said
        assert "NOISE of a child" in done.err
        return json.loads(done.out)

    assert asked("status", "--format", "json")["databases"][0]["state"] == "empty"
    applied = asked("migrate", "--format", "json")
    one = {"alias": "default", "state": "current", "applied": noisy.ids}
    assert applied == {"migrations": [one]}
    assert len(asked("history", "--format", "json")["runs"]) == 1
    done = tidegate("--format", "jsonl", "boot", "--", *APP, cwd=noisy.root, env=database.environ)
    *events, app = done.out.splitlines()
    assert [json.loads(line)["stage"] for line in events][-1] == "start"
    assert app == "app started"


def test_an_error_is_the_document(tidegate: Runner, noisy: SmallProject):
    """With --format json an error is one document on stdout, and the same text on stderr."""
    put(noisy.root / "config" / "settings.py", NOISE + 'raise ValueError("no\\nBROKER")\n')
    done = tidegate("status", "--format=json", cwd=noisy.root, env={"BROKER_PASSWORD": "hunter22"})
    error = json.loads(done.out)["error"]
    assert (done.code, error["exit_code"]) == (2, 2)
    for text in (error["text"], done.err):
        assert "the project can't be loaded: ValueError: no" in text
        assert "BROKER" in text
        assert f"{noisy.root}/config/settings.py, line 4" in text
    assert tidegate("migrate", "--format", "jsonl", cwd=noisy.root, env={}).out.count("\n") == 1


def closed(tidegate: Runner, project: SmallProject, database: Database, *words: str):
    """Run with stdin, stdout and stderr closed as `<&- >&-` closes them; stderr is kept."""
    script = 'exec "$0" -m tidegate "$@" <&- >&-'
    return subprocess.run(
        ["sh", "-c", script, sys.executable, *words], cwd=project.root, text=True,
        env=tidegate.environ(database.environ), timeout=60, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip


def test_closed_stdout(tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path):
    """Without a stdout every verb does its work; the app gets its streams as they were given."""
    project, database = make_project("django"), fresh("newest")
    seen = tmp_path / "seen"
    app = ("sh", "-c", f"ls -l /proc/self/fd > {seen}; test ! -e /proc/$$/fd/1")
    booted = closed(tidegate, project, database, "boot", "--", *app)
    assert booted.returncode == 0, booted.stderr
    assert seen.exists()
    assert database.tables() == ["made_1", "made_2"]
    for words in (["status"], ["status", "--check"], ["history"], ["migrate"]):
        done = closed(tidegate, project, database, *words)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "--format", "yaml"), "--format is 'yaml'"),
        (("wait", "--format", "json"), "wait has no --format json"),
        (("status", "--format", "sarif"), "status has no --format sarif"),
        (("boot", "-x", "--", "true"), "boot has no option -x"),
        (("boot", "--timout", "5", "--", "true"), "--timout is not an option here"),
        (("boot", "gunicorn", "site"), "tidegate boot ... -- gunicorn site"),
        (("boot", "--env-file", "nope.env", "--", "true"), "--env-file nope.env: there is no"),
        (("-f", "nope.yml", "status"), "-f nope.yml: there is no such file"),
        (("staus",), "did you mean: tidegate status"),
        (("--versoin",), "did you mean: tidegate --version"),
    ],
)
def test_slips(words: tuple[str, ...], said: str, tidegate: Runner, tmp_path):
    """A word that is not known is named, with what is near it; the code is 2."""
    done = tidegate(*words, cwd=tmp_path, env={})
    assert (done.code, done.out) == (2, ""), done.said
    assert said in done.err
    assert "next:" in done.err


def test_switches_after_the_verb(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """-h is --help for every verb, boot too; -q and --no-color are taken after it."""
    project, env = make_project("django"), fresh("sqlite").environ
    for verb in ("boot", "wait", "status"):
        told = tidegate(verb, "-h", cwd=project.root, env={})
        assert (told.code, f"usage: tidegate {verb}" in told.out) == (0, True), told.said
    flags = ("-q", "--no-color", "--timeout", "30")
    quiet = tidegate("boot", *flags, "--", *APP, cwd=project.root, env=env)
    assert (quiet.code, quiet.out, quiet.err) == (0, "app started\n", ""), quiet.said


def test_env_file(tidegate: Runner, make_project: MakeProject, fresh: Fresh):
    """An env file is read by a verb that runs here, below the environment; what is unclear is not
    guessed. A variable that nearly is one of tidegate's is told."""
    project, database = make_project("django", login="url"), fresh("sqlite")
    (project.root / "app.env").write_text(
        f'# the database\nexport DATABASE_URL="{database.url}"\nOTHER=one # comment\n'
    )
    env = {"OTHER": "two", "TIDEGATE_WEN_BEHIND": "fail", "TIDEGATE_ORIGIN": "{}"}
    app = ("sh", "-c", 'echo "$DATABASE_URL $OTHER"')
    words = ("--env-file", "app.env", "boot", "--", *app)
    done = tidegate(*words, cwd=project.root, env=env)
    assert (done.code, done.out) == (0, f"{database.url} two\n"), done.said
    assert "is TIDEGATE_WHEN_BEHIND meant?" in done.err
    assert "ORIGIN" not in done.err, "what tidegate sets by itself is no mistake"
    status = tidegate("status", "--check", "--env-file=app.env", cwd=project.root, env={})
    assert status.code == 0, status.said

    (project.root / "app.env").write_text('DATABASE_URL="sqlite:///${HOME}/x"\n')
    refused = tidegate(*words, cwd=project.root, env={})
    assert (refused.code, "line 1 has a $" in refused.err) == (2, True), refused.said
