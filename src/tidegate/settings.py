"""Every setting of the inside, declared once: its flag, its environment names, its key in files.

Rising order: default, `pyproject.toml` `[tool.tidegate]` or `tidegate.toml`, the environment,
flags. Imports nothing at the top: the fast path of boot reads its options here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


class Setting:
    """One setting. `older` are environment names that projects use already, with their meaning."""

    __slots__ = ("choices", "default", "help", "kind", "name", "older")

    def __init__(
        self,
        name: str,
        default: str,
        help: str,
        kind: str = "choice",
        choices: tuple[str, ...] = (),
        older: tuple[str, str, str] | None = None,
    ) -> None:
        self.name = name
        self.default = default
        self.help = help
        self.kind = kind
        self.choices = choices
        self.older = older

    @property
    def flag(self) -> str:
        """The flag's name."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return "TIDEGATE_" + self.name.upper()


SETTINGS = (
    Setting(
        "when_behind",
        "migrate",
        "when the schema lacks steps: apply them, wait until another process has, start the app "
        "anyway, or end",
        choices=("migrate", "wait", "serve", "fail"),
        older=("MIGRATE_ON_START", "migrate", "wait"),
    ),
    Setting(
        "when_ahead",
        "serve",
        "when the schema has steps that this code does not know: start with a warning, or end",
        choices=("serve", "fail"),
    ),
    Setting(
        "collectstatic",
        "auto",
        "collect static files: when their inputs have changed, at every start, or not",
        choices=("auto", "always", "never"),
        older=("COLLECTSTATIC_ON_START", "auto", "never"),
    ),
    Setting(
        "backup",
        "auto",
        "make a proved backup before migrating; auto: where its folder is named, and a step takes "
        "data away or can't be undone",
        choices=("auto", "always", "never"),
        older=("AUTO_BACKUP", "always", "never"),
    ),
    Setting(
        "look",
        "auto",
        "how migrate looks at the pending steps first: reads them, and asks for a word before data "
        "is lost; rehearses them as plan does; or not; auto: reads where somebody can answer",
        choices=("auto", "read", "rehearse", "never"),
    ),
    Setting("forms", "", "a plan made with --online, whose forms its steps run in", kind="word"),
    Setting("wait_for", "", "a service to wait for, as a URL; may be given again", kind="list"),
    Setting("timeout", "60", "seconds until which everything has to be ready", kind="seconds"),
    Setting(
        "lock_timeout",
        "2",
        "seconds that a statement may wait for a lock; one that others would wait behind asks for "
        "50 ms at a time; 0: no limit for any",
        kind="seconds",
    ),
    Setting(
        "startup_port",
        "",
        "a port on which boot answers /livez, /readyz and /startupz until the app starts",
        kind="port",
    ),
    Setting("framework", "", "django or alembic, where a project has both", kind="word"),
    Setting("databases", "", "aliases to gate, separated by commas", kind="word"),
)
TABLES: dict[str, tuple[str, ...]] = {
    "backup": (),
    "check": (),
    "compose": (),
    "doctor": ("fail-on", "ignore"),
    "environments": (),
    "make": ("production",),
    "plan": ("rewrite_above",),
}  # each with its settings; of those with none here the owner tells
BY_NAME = {one.name: one for one in SETTINGS}
BY_FLAG = {one.flag: one for one in SETTINGS}


class BadSetting(ValueError):
    """A setting has a value, or a name, that does not exist: `what` and `next` say it."""

    def __init__(self, what: str, next: str) -> None:
        super().__init__(what)
        self.what = what
        self.next = next


def checked(setting: Setting, value: str, said: str) -> str:
    """Return `value` if `setting` takes it; `said` is where it came from, for the message."""
    if setting.kind == "choice" and value not in setting.choices:
        raise BadSetting(f"{said} is {value!r}", "use one of: " + ", ".join(setting.choices))
    if setting.kind == "port" and value and not (value.isdecimal() and 0 < int(value) < 65536):
        raise BadSetting(f"{said} is {value!r}", "give a port between 1 and 65535")
    if setting.kind == "seconds":
        try:
            good = 0 <= float(value) < 1e9
        except ValueError:
            good = False
        if not good:
            raise BadSetting(f"{said} is {value!r}", "give seconds as a number, such as 60 or 0.5")
    return value


def from_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that the environment makes; tidegate's own names win over older ones."""
    out: dict[str, str] = {}
    for one in SETTINGS:
        value = environ.get(one.variable, "")
        if value:
            out[one.name] = checked(one, value, one.variable)
            continue
        if one.older and environ.get(one.older[0], ""):
            name, yes, no = one.older
            word = environ[name].strip().lower()
            if word not in TRUE + FALSE:
                raise BadSetting(f"{name} is {environ[name]!r}", "set it to true or false")
            out[one.name] = yes if word in TRUE else no
    return out


def from_argv(argv: Sequence[str], allowed: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split `argv` into settings and the rest, which begins at `--` or the first other word."""
    out: dict[str, str] = {}
    index = 0
    while index < len(argv):
        word = argv[index]
        if word == "--":
            return out, list(argv[index:])
        if not word.startswith("--"):
            return out, list(argv[index:])
        flag, equals, value = word.partition("=")
        setting = BY_FLAG.get(flag)
        if setting is None or setting.name not in allowed:
            raise BadSetting(f"{flag} is not an option here", "see the options with --help")
        if not equals:
            index += 1
            if index >= len(argv):
                raise BadSetting(f"{flag} has no value", f"write {flag} VALUE")
            value = argv[index]
        checked(setting, value, flag)
        if setting.kind == "list" and out.get(setting.name):
            value = out[setting.name] + " " + value
        out[setting.name] = value
        index += 1
    return out, []


def from_file(root: str) -> dict[str, str]:
    """Return the settings of `tidegate.toml`, or of `[tool.tidegate]` in `pyproject.toml`.

    Tables below it (`[tool.tidegate.check]`, ...) belong to the verbs of their name: `table`.
    """
    raw, path = _raw(root)
    return {
        _known(key, path): _word(_known(key, path), value, path)
        for key, value in raw.items()
        if not isinstance(value, dict)
    }


def table(root: str, name: str) -> dict[str, object]:
    """Return the table `[tool.tidegate.NAME]`; {} where there is none."""
    raw, path = _raw(root)
    found = raw.get(name, {})
    if not isinstance(found, dict):
        raise BadSetting(f"{path}: {name} is not a table", f"write it as [tool.tidegate.{name}]")
    return found


def _raw(root: str) -> tuple[dict[str, object], str]:
    """Return the settings of the project's file as they stand, and the file's path."""
    import os

    for name, table in (("tidegate.toml", ()), ("pyproject.toml", ("tool", "tidegate"))):
        path = os.path.join(root, name)
        if not os.path.isfile(path):
            continue
        import tomllib

        try:
            with open(path, "rb") as file:
                raw = tomllib.load(file)
        except (tomllib.TOMLDecodeError, OSError) as error:
            raise BadSetting(f"{path} can't be read: {error}", "correct the file") from None
        for key in table:
            raw = raw.get(key, {})
        if raw:
            _refuse_unknown(raw, path, "tool.tidegate." if table else "")
            return raw, path
    return {}, ""


def _refuse_unknown(raw: Mapping[str, object], path: str, prefix: str) -> None:
    """Raise for a table or a key that nobody reads: what it says would do nothing, unseen."""
    for key, value in raw.items():
        if key not in TABLES:
            if not isinstance(value, dict):
                _known(key, path)
                continue
            raise BadSetting(
                f"{path}: [{prefix}{key}] is not a table of tidegate",
                nearest(key, list(TABLES), f"[{prefix}{{}}]"),
            )
        for inner in value if isinstance(value, dict) and TABLES[key] else ():
            if inner not in TABLES[key]:
                raise BadSetting(
                    f"{path}: [{prefix}{key}] has no setting {inner}", nearest(inner, TABLES[key])
                )


def nearest(word: str, known: Sequence[str], form: str = "{}") -> str:
    """Return what to write in place of a word that is not known: the nearest one, or any."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1, 0.6)
    if near:
        return "write " + form.format(near[0])
    return "use one of: " + ", ".join(form.format(one) for one in known)


def _known(key: str, path: str) -> str:
    name = key.replace("-", "_")
    if name not in BY_NAME:
        raise BadSetting(
            f"{path}: {key} is not a setting of tidegate",
            nearest(key, [_as_in(key, one) for one in sorted(BY_NAME)]),
        )
    return name


def _as_in(key: str, name: str) -> str:
    """Return a setting's name with hyphens, where that is how the file writes them."""
    return name.replace("_", "-") if "-" in key else name


def _word(name: str, value: object, path: str) -> str:
    setting = BY_NAME[name]
    word = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    if name == "databases" and isinstance(value, list):
        word = ",".join(map(str, value))
    return checked(setting, word, f"{path}: {name}")


def effective(*layers: Mapping[str, str]) -> dict[str, str]:
    """Merge layers of rising weight over the defaults."""
    out = {one.name: one.default for one in SETTINGS}
    for layer in layers:
        out.update(layer)
    return out
