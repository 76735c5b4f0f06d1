"""The sentences a user may be told when something cannot be done, as one small family.

    TunepointError               one clear sentence; exit code 2 unless a subclass says otherwise
    |-- InputError               a file, flag or value cannot be read as meant
    |-- NotSold                  a positive count stands on a meter the provider has no rate for
    |-- NotInForce               no version of a price is in force, or known, on that day
    `-- NoFeasibleOption         every option of the scenario is ruled out; exit code 3

Nothing else is caught at the command line: any other exception is a defect of this program.
"""

from __future__ import annotations

from typing import ClassVar


class TunepointError(Exception):
    """A sentence for the user: what, where, the value, the remedy."""

    exit_code: ClassVar[int] = 2


class InputError(TunepointError):
    """A file, flag or value cannot be read as meant."""


class NotSold(TunepointError):
    """A positive count stands on a meter the provider has no rate for."""


class NotInForce(TunepointError):
    """No version of a price is in force, or known, on that day."""


class NoFeasibleOption(TunepointError):
    """Every option of the scenario is ruled out."""

    exit_code: ClassVar[int] = 3
