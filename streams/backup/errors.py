"""Every expected way in which work on backups ends without success.

BackupError
├── BackupFailed   it cannot be done as things are: a server, a program or the target
├── BadBackup      what is stored is not what was dumped
└── Busy           another process makes or prunes backups at this moment
"""


class BackupError(Exception):
    """Root of this tree; the message is one sentence that says what is wrong."""


class BackupFailed(BackupError):
    """Something outside did not do its part, or a setting is missing."""


class BadBackup(BackupError):
    """A backup cannot be trusted, so nothing was made of it."""


class Busy(BackupError):
    """Another process is at it, and this one has done nothing."""


class Missing(BackupFailed):
    """The target does not have this file."""
