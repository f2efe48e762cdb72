"""Weighs one value of an argument against the operators of a rule. Pure; what cannot be told is None."""

import posixpath
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from airside.policy.amounts import exact
from airside.policy.conditions import ArgumentIs, Band
from airside.policy.globs import Globs, fold
from airside.policy.truth import Truth, all_of, any_of, negated

Test = Callable[[Any], Truth]

_ODD_IN_PATHS = re.compile(r"[\\%~\x00-\x1f\x7f$]")
_ODD_IN_URLS = re.compile(r"[\\\x00-\x20\x7f]")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://([^/?#]*)", re.ASCII)


def test_of(operators: ArgumentIs) -> Test:
    """Return whether a value fits all the operators that look at values."""
    tests = list(_tests(operators))
    return lambda value: all_of([test(value) for test in tests])


def _tests(is_: ArgumentIs) -> Sequence[Test]:
    tests: list[Test] = []
    wanted = list(is_.one_of or ()) + ([] if is_.equals is None else [is_.equals])
    if is_.equals is not None and is_.one_of is not None:
        tests.append(
            lambda value: all_of([_same(is_.equals, value), any_of(_same(one, value) for one in is_.one_of or ())])
        )
    elif wanted:
        tests.append(lambda value: any_of(_same(one, value) for one in wanted))
    if is_.matches is not None:
        globs = Globs(is_.matches)
        tests.append(lambda value: globs.told(value) if isinstance(value, str) else None)
    if any(bound is not None for bound in (is_.at_most, is_.at_least, is_.above, is_.below)):
        tests.append(lambda value: _between(is_, value))
    if is_.under_path is not None:
        tests.append(lambda value: any_of(_under(folder, value) for folder in is_.under_path or ()))
    if is_.host_in is not None:
        hosts = Globs(tuple(host.lower() for host in is_.host_in))
        tests.append(lambda value: _at_host(hosts, value))
    if is_.not_ is not None:
        inner = test_of(is_.not_)
        tests.append(lambda value: negated(inner(value)))
    return tests


def _same(wanted: Any, value: Any) -> Truth:
    """Whether a value is the one that is wanted; look-alikes, and a number written as text, cannot be told."""
    if isinstance(wanted, bool) or isinstance(value, bool) or value is None:
        same = wanted is value
    elif isinstance(wanted, str) or isinstance(value, str):
        same = wanted == value
    elif isinstance(value, int | float | Decimal):
        number = exact(value)
        return None if number is None else number == wanted
    else:
        return None
    return True if same else None if fold(str(wanted)) == fold(str(value)) else False


def _between(is_: ArgumentIs, value: Any) -> Truth:
    number = exact(value)
    return None if number is None else within(number, is_)


def within(number: Decimal | float, limits: ArgumentIs | Band) -> bool:
    """Whether a number lies within limits, each of which may be missing."""
    return not (
        (limits.at_most is not None and number > limits.at_most)
        or (limits.at_least is not None and number < limits.at_least)
        or (limits.above is not None and number <= limits.above)
        or (limits.below is not None and number >= limits.below)
    )


def _under(folder: str, value: Any) -> Truth:
    """Whether a path lies in a folder, as it is written: links on the disk cannot be seen from here."""
    if not isinstance(value, str) or not value or _ODD_IN_PATHS.search(value):
        return None
    wanted, path = posixpath.normpath(folder), posixpath.normpath(value)
    if path.startswith("//"):
        return None
    if path.startswith("/") != wanted.startswith("/") or (path == ".." or path.startswith("../")):
        return None
    return wanted in ("/", ".") or path == wanted or path.startswith(wanted + "/")


def _at_host(hosts: Globs, value: Any) -> Truth:
    """Whether a URL leads to one of the hosts; what clients could read differently cannot be told."""
    if not isinstance(value, str) or _ODD_IN_URLS.search(value):
        return None
    authority = _AUTHORITY.match(value)
    if authority is None or "@" in authority[1] or not authority[1].isascii():
        return None
    try:
        host = urlsplit(value).hostname
    except ValueError:
        return None
    return hosts.told(host.lower().rstrip(".")) if host else None
