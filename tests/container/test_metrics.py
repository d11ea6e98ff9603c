"""Metrics of real runs, read by a reader of the format that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.gate import APP, Database, Runner
from support.projects import SmallProject

MakeProject = Callable[..., SmallProject]
Fresh = Callable[[str], Database]


def read(path: Path) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read the file as Prometheus' own library reads OpenMetrics: it refuses what is not."""
    families = list(text_string_to_metric_families(path.read_text()))
    assert {one.type for one in families} == {"gauge"}
    return {one.name: [(each.labels, each.value) for each in one.samples] for one in families}


def test_boot_and_backup(tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path):
    """Boot and backup say how they ended, their stages, steps, state, and the backup's size."""
    project, database = make_project("django"), fresh("newest")
    folder = tmp_path / "metrics"
    folder.mkdir()
    env = {**database.environ, "TIDEGATE_METRICS_DIR": str(folder), "TIDEGATE_SERVICE": "web"}
    assert tidegate("boot", "--", *APP, cwd=project.root, env=env).code == 0
    found = read(folder / "tidegate-boot-web.prom")
    common = {"command": "boot", "service": "web"}
    assert found["tidegate_exit_code"] == [(common, 0)]
    steps = {labels["step"] for labels, _ in found["tidegate_step_seconds"]}
    assert steps == set(project.ids)
    assert {labels["stage"] for labels, _ in found["tidegate_stage_seconds"]} >= {"wait", "migrate"}
    (state,) = found["tidegate_database_state"]
    assert state == ({**common, "database": "default", "state": "current"}, 1)
    assert tidegate("backup", cwd=project.root, env=env).code == 0
    found = read(folder / "tidegate-backup-web.prom")
    ((labels, size),) = found["tidegate_backup_bytes"]
    assert (labels["database"], size > 100) == ("default", True)


def test_a_failed_boot_and_a_sealed_one(
    tidegate: Runner, make_project: MakeProject, fresh: Fresh, tmp_path: Path
):
    """The exit code of a failure is there; the fast path writes the file as well; a folder that
    isn't there is warned of and stops nothing."""
    project, database = make_project("django", 1), fresh("newest")
    env = {**database.environ, "TIDEGATE_METRICS_DIR": str(tmp_path), "TIDEGATE_SERVICE": 'a"b'}
    bad = project.add("SELECT nothing FROM nowhere")
    assert tidegate("boot", "--", *APP, cwd=project.root, env=env).code == 5
    path = tmp_path / "tidegate-boot-a_b.prom"
    ((labels, code),) = read(path)["tidegate_exit_code"]
    assert (labels["service"], code) == ('a"b', 5)
    project.remove(bad)
    assert tidegate("seal", cwd=project.root, env=env).code == 0
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, "the image has no seal" in done.err) == (0, False), done.said
    found = read(path)
    assert found["tidegate_exit_code"][0][1] == 0
    assert found["tidegate_database_state"][0][0]["state"] == "current"
    env["TIDEGATE_METRICS_DIR"] = "/nowhere/at/all"
    done = tidegate("boot", "--", *APP, cwd=project.root, env=env)
    assert (done.code, "takes no metrics" in done.err) == (0, True), done.said
