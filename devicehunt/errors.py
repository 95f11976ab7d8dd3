"""The errors that a user can meet.

DevicehuntError
|-- UsageError          the call was wrong: exit status 2
|   |-- SourceError     a source does not exist or cannot be opened
|   `-- SiteError       a site file or case.yaml does not say what it must
|-- DataError           a platform, template, rule or schema file is wrong; names the file
|   `-- RuleError       one rule; names the file and, for a column, the nearest names
`-- CaseError           the case folder cannot be written, or its journal does not verify

Nothing that a device says raises one of these: that becomes a gap.
"""

from __future__ import annotations


class DevicehuntError(Exception):
    """Any failure of the tool or of its call; the message is for the user."""


class UsageError(DevicehuntError):
    """The call cannot be carried out as given."""


class SourceError(UsageError):
    """A source given by the user does not exist or cannot be opened."""


class SiteError(UsageError):
    """A site file or case.yaml is malformed."""


class DataError(DevicehuntError):
    """A file that ships with the tool, or a user's own pack, is wrong."""


class RuleError(DataError):
    """A rule file is wrong."""


class CaseError(DevicehuntError):
    """A case folder cannot be written or does not verify."""
