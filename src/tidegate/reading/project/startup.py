"""What a container does from its start to the process that stays, told as a list of commands.

The image's ENTRYPOINT and CMD, Compose's overrides, the scripts they run (looked up through COPY
and mounts to the project's own files) and `sh -c` inside each other are one story.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace

from tidegate.model.finding import Place
from tidegate.reading.project import variables, words
from tidegate.reading.project.acts import Act, Start
from tidegate.reading.project.image import Image
from tidegate.reading.project.service import Service
from tidegate.reading.project.telling import Find, Teller


def of(service: Service | None, image: Image | None, find: Find) -> Start:
    """Return the story of a service, or of an image by itself."""
    entry, command, entry_place, command_place, shell_form = _argv(service, image)
    own = service.text("working_dir") if service is not None else ""
    workdir = posixpath.join(image.workdir if image else "/", own)
    teller = Teller(find, workdir, variables.of(service, image))
    teller.places, teller.heredocs = _places(service), _heredocs(image)
    acts = tuple(
        teller.tell(
            (*entry, *command), command_place if not entry else entry_place, command, command_place
        )
    )
    known = bool(entry or command) and (
        image is not None or bool(service and service.words("entrypoint"))
    )
    return Start(
        entry,
        command,
        entry_place,
        command_place,
        shell_form,
        _with_main(acts),
        tuple(teller.scripts),
        known,
    )


def _places(service: Service | None) -> dict[str, Place]:
    """Return where each word of a Compose file's lists begins; a block's text, below its bar."""
    found = [service.get(key) for key in ("entrypoint", "command")] if service else []
    items = [one for each in found if each is not None for one in each.items]
    return {one.text: Place(one.path, one.line + (one.style in ("|", ">"))) for one in items}


def _heredocs(image: Image | None) -> dict[str, tuple[Place, str]]:
    """Return the scripts that the Dockerfile itself holds, by their paths in the image."""
    return {
        one.target: (
            Place(one.instruction.path, one.instruction.line + 1),
            one.instruction.heredocs[0],
        )
        for one in (image.copies if image is not None else ())
        if not one.source and len(one.instruction.heredocs) == 1 and not one.into
    }


def _argv(
    service: Service | None, image: Image | None
) -> tuple[tuple[str, ...], tuple[str, ...], Place, Place, bool]:
    nowhere = (
        Place(image.path, image.stage.line) if image else service.place if service else Place("")
    )
    entry: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entry_place = command_place = nowhere
    shell_form = False
    if image is not None and image.entrypoint is not None:
        entry, shell_form = _form(image.entrypoint.words, image.entrypoint.shell, image.shell_words)
        entry_place = image.entrypoint.place
    if image is not None and image.cmd is not None and not shell_form:
        command, shell_form = _form(image.cmd.words, image.cmd.shell, image.shell_words)
        command_place = image.cmd.place
    if service is not None:
        own = service.words("entrypoint")
        if own is not None:
            entry, command, shell_form = own, (), False
            entry_place = command_place = service.place_of("entrypoint")
        mine = service.words("command")
        if mine is not None:
            command, command_place = mine, service.place_of("command")
            shell_form = shell_form and bool(entry)
    return entry, command, entry_place, command_place, shell_form


def _form(
    exec_form: tuple[str, ...] | None, text: str, shell_words: tuple[str, ...]
) -> tuple[tuple[str, ...], bool]:
    if exec_form is not None:
        return exec_form, False
    return (*(shell_words or ("/bin/sh", "-c")), text), True


def _with_main(acts: tuple[Act, ...]) -> tuple[Act, ...]:
    if not acts:
        return acts
    for index in range(len(acts) - 1, -1, -1):
        if words.serves(acts[index].words) or words.is_worker(acts[index].words):
            return (*acts[:index], replace(acts[index], main=True), *acts[index + 1 :])
    return (*acts[:-1], replace(acts[-1], main=True))
