"""What Compose refuses in one file, whatever the others say: keys and kinds of values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.reading.project.tree import Item


@dataclass(frozen=True)
class Refusal:
    """One thing for which Compose refuses a file. `said` are the words that it uses.

    `sure` is off for a key that a later Compose may know, `unread` on for a file that is no Compose
    file at all. `swap` is what to write on the line in the place of what.
    """

    path: str
    line: int
    said: str
    remedy: str = ""
    sure: bool = True
    unread: bool = False
    swap: tuple[str, str] = ("", "")


ROOT = ("version", "name", "services", "networks", "volumes", "secrets", "configs", "include",
        "models")  # fmt: skip
_MAPPINGS = ("deploy", "healthcheck", "logging", "develop", "blkio_config", "storage_opt",
             "credential_spec", "provider")  # fmt: skip
_LISTS = ("ports", "volumes", "secrets", "configs", "profiles", "expose", "cap_add", "cap_drop",
          "devices", "links", "external_links", "volumes_from", "security_opt",
          "device_cgroup_rules", "group_add", "post_start", "pre_stop")  # fmt: skip
_EITHER = ("depends_on", "networks", "models")
_NAMED = ("environment", "labels", "extra_hosts", "annotations", "sysctls")
_TEXTS = ("image", "container_name", "hostname", "working_dir", "user", "restart", "network_mode",
          "platform", "stop_signal", "stop_grace_period", "pull_policy", "domainname", "pid", "ipc",
          "runtime", "mac_address", "userns_mode", "isolation", "cgroup_parent", "cgroup",
          "uts")  # fmt: skip
_OTHERS = ("build", "command", "entrypoint", "env_file", "extends", "tmpfs", "dns", "dns_opt",
           "dns_search", "init", "tty", "stdin_open", "privileged", "read_only", "scale", "attach",
           "cpus", "cpuset", "cpu_count", "cpu_percent", "cpu_shares", "cpu_quota", "cpu_period",
           "cpu_rt_period", "cpu_rt_runtime", "mem_limit", "mem_reservation", "mem_swappiness",
           "memswap_limit", "shm_size", "pids_limit", "oom_kill_disable", "oom_score_adj",
           "ulimits", "gpus", "label_file", "use_api_socket")  # fmt: skip
SERVICE = (*_MAPPINGS, *_LISTS, *_EITHER, *_NAMED, *_TEXTS, *_OTHERS)
HEALTH = ("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")
DEPLOY = ("mode", "endpoint_mode", "replicas", "labels", "rollback_config", "update_config",
          "resources", "restart_policy", "placement")  # fmt: skip
BUILD = ("context", "dockerfile", "dockerfile_inline", "entitlements", "args", "ssh", "labels",
         "cache_from", "cache_to", "no_cache", "no_cache_filter", "additional_contexts", "network",
         "provenance", "sbom", "pull", "target", "shm_size", "extra_hosts", "isolation",
         "privileged", "secrets", "tags", "ulimits", "platforms")  # fmt: skip
CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_DURATION = re.compile(r"^\s*(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+\s*$")
_COUNT = re.compile(r"^\s*[-+]?\d+\s*$")
_DURATIONS = ("interval", "timeout", "start_period", "start_interval")


def refusals(root: Item) -> Iterator[Refusal]:
    """Yield what Compose refuses in a file's tree."""
    if not isinstance(root.value, dict):
        kind = "!!seq" if isinstance(root.value, tuple) else f"!!str `{root.text[:10]}`"
        said = f"line {root.line}: cannot unmarshal {kind} into a Compose file"
        yield at(root, said, "a Compose file begins with services: and the services below it")
        return
    yield from _repeated(root)
    yield from _unknown(root, ROOT, "(root)", _first_version)
    version = root.get("version")
    if version is not None and isinstance(version.value, (int, float)):
        yield at(version, "version must be a string", "leave version out: nothing reads it")
    for name in ("services", "volumes", "networks", "secrets", "configs"):
        found = root.get(name)
        if found is not None and not isinstance(found.value, dict):
            if found.value is not None or name == "services":
                yield at(found, f"{name} must be a mapping", _as_mapping(found))
            continue
        for key, one in found.entries.items() if found is not None else ():
            if name != "services" and (one.value is not None and not isinstance(one.value, dict)):
                yield at(one, f"{name}.{key} must be a mapping or null", f"write {key}: alone")
    services = root.get("services")
    for name, one in services.entries.items() if services is not None else ():
        yield from _service(name, one)


def _service(name: str, one: Item) -> Iterator[Refusal]:
    where = f"services.{name}"
    if one.tag:  # !reset and !override say what becomes of an earlier file's value
        return
    if not re.match(r"^[a-zA-Z0-9._-]+$", name):
        said = f"services Additional property {name} is not allowed"
        yield at(one, said, "a service's name has letters, digits, dots, dashes and underscores")
    if not isinstance(one.value, dict):
        yield at(one, f"{where} must be a mapping", "write image: or build: below the name")
        return
    yield from _unknown(one, SERVICE, where)
    for key, value in one.entries.items():
        found = _kind(key, value) if not value.tag else None
        if found is not None:
            yield at(value, f"{where}.{key} must be {found[0]}", found[1])
    yield from _named(one, where)
    yield from _words(one, where)
    yield from _health(one.get("healthcheck"), f"{where}.healthcheck")
    yield from _deploy(one, where)
    yield from _dependencies(one.get("depends_on"), f"{where}.depends_on")
    build = one.get("build")
    if build is not None and build.entries:
        yield from _unknown(build, BUILD, f"{where}.build")


def _kind(key: str, value: Item) -> tuple[str, str] | None:
    """Return what a value has to be and is not, and how to write it; None where it is well."""
    scalar = not isinstance(value.value, (dict, tuple))
    if key in _MAPPINGS and not isinstance(value.value, dict):
        if key == "deploy":
            return None if value.value is None else ("a mapping or null", _as_mapping(value))
        remedy = _as_mapping(value)
        if key == "healthcheck" and value.text:
            remedy = f"write test: {value.text} below it"
        return "a mapping", remedy
    if key in _LISTS and not isinstance(value.value, tuple):
        return "a list", f"write each on a line of its own, behind a dash: - {value.text or '…'}"
    if key in _EITHER and scalar:
        return "a list", f"write {key}: [{value.text or '…'}], or leave the key out"
    if key in _NAMED and scalar:
        return "a mapping", f"write {key}: with NAME: value below it, or leave the key out"
    text = isinstance(value.value, str) or "$" in value.text
    if key in _TEXTS and not text:
        return "a string", _as_text(key, value)
    return None


def _as_text(key: str, value: Item) -> str:
    if not value.text:
        return f"give {key} a value, or leave it out"
    if key == "restart" and value.value is False:
        return 'write restart: "no"'
    unit = "s" if key == "stop_grace_period" else ""
    return f'write {key}: "{value.raw or value.text}{unit}"'


def _words(one: Item, where: str) -> Iterator[Refusal]:
    for key in ("command", "entrypoint"):
        found = one.get(key)
        if found is None:
            continue
        if not isinstance(found.value, (str, tuple, type(None))):
            yield at(found, f"{where}.{key} must be a null", "write it as text, or as a list")
        for index, word in enumerate(found.value if isinstance(found.value, tuple) else ()):
            if not isinstance(word.value, str):
                said = f"{where}.{key}.{index} must be a string"
                yield at(word, said, f'put quotes around it: "{word.raw or word.text}"')


def _named(one: Item, where: str) -> Iterator[Refusal]:
    """Yield `- NAME: value` in a list, where `- NAME=value` or no dash is meant."""
    for key, found in (
        *((key, one.get(key)) for key in _NAMED),
        ("build.args", one.get("build", "args")),
    ):
        for index, item in enumerate(
            found.value if found is not None and isinstance(found.value, tuple) else ()
        ):
            if isinstance(item.value, dict):
                name = next(iter(item.entries), "NAME")
                said = f"{where}.{key}.[{index}]: unexpected type map[string]interface {{}}"
                yield at(item, said, f"take the dashes away, or write - {name}=value")
    found = one.get("environment")
    for name, value in found.entries.items() if found is not None else ():
        if isinstance(value.value, (dict, tuple)):
            said = f"{where}.environment.{name} must be a string, number, boolean or null"
            yield at(value, said, "write the value as one text, in quotes")


def _health(one: Item | None, where: str) -> Iterator[Refusal]:
    if one is None or not one.entries:
        return
    yield from _unknown(one, HEALTH, where)
    test = one.get("test")
    first = test.items[0] if test is not None and test.items else None
    if test is not None and isinstance(test.value, tuple) and first is not None:
        if first.text in ("CMD", "CMD-SHELL", "NONE") or "$" in first.text:
            first = None
        if first is not None:
            said = 'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"'
            yield at(test, said, 'write "CMD" as the first word of the list')
    for key in _DURATIONS:
        value = one.get(key)
        if value is None or "$" in value.text or isinstance(value.value, (dict, tuple)):
            continue
        if not isinstance(value.value, str):
            said, unit = f"{where}.{key} must be a string", f"{value.text or 5}s"
            yield at(value, said, f"write {key}: {unit}", (value.text, unit))
        elif not _DURATION.match(value.value):
            said = f'time: missing unit in duration "{value.value}"'
            if _COUNT.match(value.value):
                unit = f"{value.value.strip()}s"
                yield at(value, said, f"write {key}: {unit}", (value.value, unit))
    yield from _count(one.get("retries"), f"{where}.retries")


def _deploy(one: Item, where: str) -> Iterator[Refusal]:
    found = one.get("deploy")
    if found is not None and found.entries:
        yield from _unknown(found, DEPLOY, f"{where}.deploy")
    yield from _count(one.get("deploy", "replicas"), f"{where}.deploy.replicas")
    yield from _count(one.get("scale"), f"{where}.scale")


def _count(one: Item | None, where: str) -> Iterator[Refusal]:
    if one is None or not isinstance(one.value, str) or "$" in one.text or _COUNT.match(one.value):
        return
    said = (f"error while interpolating {where}: failed to cast to expected type: "
            f'strconv.Atoi: parsing "{one.value}": invalid syntax')  # fmt: skip
    yield at(one, said, "write a whole number")


def _dependencies(found: Item | None, where: str) -> Iterator[Refusal]:
    if found is None:
        return
    for index, one in enumerate(found.value if isinstance(found.value, tuple) else ()):
        names = [each.value for each in found.value[:index]]
        if not isinstance(one.value, str):
            remedy = "take the dashes away: name: {condition: …}"
            yield at(one, f"{where}.{index} must be a string", remedy)
        elif one.value in names:
            said = f"{where} array items[{names.index(one.value)},{index}] must be unique"
            yield at(one, said, f"keep one {one.value}")
    for name, one in found.entries.items():
        if not isinstance(one.value, dict):
            said = f"{where}.{name} must be a mapping"
            yield at(one, said, f"write {name}: {{condition: service_healthy}}")
            continue
        condition = one.get("condition")
        if condition is None:
            yield at(one, f"{where}.{name} condition is required", "add condition: service_healthy")
        elif condition.text not in CONDITIONS and "$" not in condition.text:
            choice = ", ".join(f'"{each}"' for each in CONDITIONS)
            said = f"{where}.{name}.condition must be one of the following: {choice}"
            near = difflib.get_close_matches(f"service_{condition.text}", CONDITIONS, 1, 0.6)
            better = (near or CONDITIONS[1:2])[0]
            swap = (condition.text, better) if near else ("", "")
            yield at(condition, said, f"write condition: {better}", swap)


def _repeated(one: Item) -> Iterator[Refusal]:
    for line, said in one.flaws:
        yield Refusal(one.path, line, said, "keep one of the two" if "already" in said else "")
    kids = one.value if isinstance(one.value, tuple) else one.entries.values()
    for kid in kids:
        yield from _repeated(kid)


def _unknown(
    one: Item, known: tuple[str, ...], where: str, hint: Callable[[Item], str] | None = None
) -> Iterator[Refusal]:
    for key, value in one.entries.items():
        if key in known or key.startswith("x-"):
            continue
        near = difflib.get_close_matches(key, known, 1, 0.75)
        remedy = f"write {near[0]}" if near else hint(value) if hint is not None else ""
        yield Refusal(
            value.path, value.key_line or value.line,
            f"{where} Additional property {key} is not allowed",
            remedy or "take the key away: no Compose that is known here takes it",
            bool(remedy),
            swap=(f"{key}:", f"{near[0]}:") if near and near[0] not in one.entries else ("", ""),
        )  # fmt: skip


def _first_version(value: Item) -> str:
    """Return what to do about a key at the root: a service without `services:`, or an own one."""
    if value.get("image") is not None or value.get("build") is not None:
        return "put it below services:, two spaces in"
    return "let its name begin with x-, or take it away"


def _as_mapping(value: Item) -> str:
    dashes = isinstance(value.value, tuple)
    return "take the dashes away: write name: with its keys below it" if dashes else \
        "write its keys below it, as key: value"  # fmt: skip


def at(one: Item, said: str, remedy: str, swap: tuple[str, str] = ("", "")) -> Refusal:
    """Return a refusal at the line of a value's key."""
    return Refusal(one.path, one.key_line or one.line, said, remedy, swap=swap)
