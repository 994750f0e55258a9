"""Command lines of all programs: flags, and errors in one line.

A program defines its flags, then calls `run(main)`. Its exit status is 0 for success, 2 for wrong
arguments, and 1 for other errors.
"""

import atexit
import contextlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

import psutil
from absl import app, flags, logging
from pydantic import BaseModel

from residual_ensembles.backend import extras, interruption, process
from residual_ensembles.parameters import Integers, choices, help_text, limits
from residual_ensembles.storage import files, temporary

flags.disclaim_key_flags()  # `define_flags` defines those of the program that calls it

COST_FILE = "RESIDUAL_ENSEMBLES_COST_FILE"
"""The environment variable with a file to which each program adds a line with its cost."""
INTEGER_LIST = get_args(Integers)[0]
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def run(main: Callable[[], None]) -> NoReturn:
    """Runs a program: parses the flags, runs `main`, and exits.

    `ValueError`, `OSError`, `ArithmeticError` and `MissingExtraError` of `main`, Ctrl-C and SIGTERM
    become one line on stderr; `--verbosity=1` adds the traceback.

    Args:
        main: Body of the program, which reads the flags.
    """
    _write_cost_at_exit()
    app.run(lambda _: _guarded(main), flags_parser=_parse)


def show_help(text: str) -> None:
    """Prints the help of a program that has no flags, and ends it, where `--help` was asked for.

    Args:
        text: Docstring of the program.
    """
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(text.strip())
        sys.exit(0)


def read_costs(path: Path) -> list[dict]:
    """Returns the lines of a cost file, in the order in which the programs ended."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def children_peak_mib() -> float:
    """Returns the peak memory of the largest child process that has ended, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _MAXRSS_UNIT / 2**20


def _peak_mib() -> float:
    """Returns the peak memory of this process, in MiB.

    Not from `getrusage`, where Linux includes the memory of the parent before `exec`.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / 2**20


def _write_cost_at_exit() -> None:
    """Adds the cost of this process and its children to the cost file, if there is one.

    Programs that this one starts are among its children and write no line of their own.
    """
    path = os.environ.pop(COST_FILE, None)
    if path is None:
        return
    spec = sys.modules["__main__"].__spec__  # there is none where a file is run
    program = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).name

    def write() -> None:
        used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cost = {
            "program": program,
            "seconds": time.time() - psutil.Process().create_time(),
            "processor_seconds": sum(each.ru_utime + each.ru_stime for each in used),
            "peak_mib": max(_peak_mib(), children_peak_mib()),
        }
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(cost) + "\n")

    atexit.register(write)


def define_flags(
    model: type[BaseModel],
    *names: str,
    prefix: str = "",
    defaults: Mapping[str, object] | None = None,
) -> None:
    """Defines a flag for each parameter, with its default, range and help.

    Args:
        model: Section of parameters, from `residual_ensembles.parameters`.
        *names: Names of the parameters.
        prefix: Prefix of the flags.
        defaults: Defaults that differ from those of the section.
    """
    for name in names:
        field = model.model_fields[name]
        default: Any = (defaults or {}).get(name, field.default)
        range_: dict[str, Any] = dict(limits(field))
        flag, text = f"{prefix}{name}", help_text(field)
        if choices(field):
            flags.DEFINE_enum(flag, default, choices(field), text)
        elif field.annotation is int:
            flags.DEFINE_integer(flag, default, text, range_.get("ge"), range_.get("le"))
        elif field.annotation is float:
            low, high = (range_.get(a, range_.get(b)) for a, b in (("ge", "gt"), ("le", "lt")))
            flags.DEFINE_float(flag, default, text, low, high)
        elif field.annotation is str:
            flags.DEFINE_string(flag, default, text)
        else:
            flags.DEFINE_list(flag, [str(value) for value in default], text)


def flag_values(model: type[BaseModel], *names: str, prefix: str = "") -> dict[str, object]:
    """Returns the values of the flags of `define_flags`, by name of the parameter.

    Raises:
        ValueError: A list is not of integers.
    """
    result = {}
    for name in names:
        value = flags.FLAGS[f"{prefix}{name}"].value
        if value is not None and model.model_fields[name].annotation == INTEGER_LIST:
            value = integers(f"{prefix}{name}", value)
        result[name] = tuple(value) if isinstance(value, list) else value
    return result


def integers(name: str, values: Sequence[str]) -> list[int]:
    """Returns a flag's list as integers.

    Args:
        name: Name of the flag, without dashes.
        values: Items of the list.

    Raises:
        ValueError: One is not an integer, 0 or larger.
    """
    if not all(value.strip().isdecimal() for value in values):
        raise ValueError(
            f"Received --{name}={','.join(values)}, expected integers, 0 or larger, with "
            f"commas between them, such as --{name}=0,1,2."
        )
    return [int(value) for value in values]


def require_writable_folder(folder: str | os.PathLike) -> None:
    """Creates an output folder, and checks that it can be written.

    Temporary files of killed processes in it are removed.

    Args:
        folder: Output folder of a program.

    Raises:
        ValueError: It is a file, or cannot be created or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        files.remove_partial(folder)
    except OSError as error:
        raise ValueError(
            f"Received output folder {folder}, which cannot be written "
            f"({error.strerror or error}), expected a folder of yours, or a name not yet taken."
        ) from None


def _parse(arguments: Sequence[str]) -> Sequence[str]:
    try:
        leftover = flags.FLAGS(arguments)[1:]
    except flags.Error as error:
        _fail(f"{_flag_message(error)} (see --help)", 2)
    except SystemExit:  # --help; absl calls that a failure
        sys.exit(0)
    for name in flags.FLAGS:
        is_path = name.endswith(("_dir", "output"))
        if is_path and flags.FLAGS[name].present and flags.FLAGS[name].value == "":
            _fail(f"Received --{name}= without a path, expected one (see --help)", 2)
    if flags.FLAGS["verbosity"].using_default_value:
        flags.FLAGS["verbosity"].value = logging.WARNING  # absl would log everything
    if leftover:
        _fail(
            f"Received {leftover[0]!r}, which is not a flag, expected only --name=value (see "
            "--help)",
            2,
        )
    return arguments[:1]


def _flag_message(error: flags.Error) -> str:
    """Returns the message of absl, with the expected value added if it is missing."""
    message = re.sub(
        r"flag --(\w+)=None: Flag --\1 must have a value other than None\.",
        r"--\1 is missing.",
        " ".join(str(error).split()),
    )
    refused = re.match(r"flag --(\w+)=.*(invalid literal|could not convert)", message)
    if refused:
        flag = flags.FLAGS[refused.group(1)]
        message += (
            f"; expected {flag.parser.syntactic_help or flag.parser.flag_type()}: {flag.help}"
        )
    return message


def _guarded(main: Callable[[], None]) -> None:
    problem = process.problem()
    if problem is not None:
        _fail(problem, 1)
    with (
        one_line_errors(),
        interruption.raise_on_signals(),
        interruption.only_one_of_its_stage(),
        temporary.in_own_folder(),
    ):
        main()


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the program with one line where what is run or imported within is refused."""
    try:
        yield
    except interruption.InterruptionError as error:
        _fail(str(error), error.status)
    except OSError as error:
        _fail(_system_message(error), 1)
    except (ValueError, ArithmeticError, extras.MissingExtraError) as error:
        _fail(str(error), 1)


def _system_message(error: OSError) -> str:
    if error.errno in files.DISK_FULL:
        path = error.filename2 or error.filename  # of a copy, the second is what was written
        where = f" at {path}" if path else ""
        return (
            f"The disk is full{where} ({error.strerror}), expected room for the results. What was "
            "there before is unchanged; make room and start again."
        )
    if error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(message: str, status: int) -> NoReturn:
    logging.debug("The program ends because of this:", exc_info=True)
    print("error:", " ".join(message.split()), file=sys.stderr)
    sys.exit(status)
