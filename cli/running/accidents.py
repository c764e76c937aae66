"""What stops a command without being a mistake in it: memory runs out, or the system says no."""

import errno

from latentlab.errors import DataError, LatentlabError, OutputError, reason

# Of a disk or a file system, rather than of a file that is to be read.
_OF_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
# What torch says on the CPU, and oneDNN, when the system gives them no more memory.
_OF_MEMORY = (
    "can't allocate memory", "not enough memory", "out of memory", "could not create a primitive",
    "could not create a memory object", "std::bad_alloc",
)  # fmt: skip


def told_as(error: Exception) -> LatentlabError | None:
    """Return the error that a user is told in place of another; None where that shows a mistake.

    >>> str(told_as(MemoryError()))
    'memory has run out (MemoryError); lower `batch`, or end other programs'
    >>> print(told_as(ValueError()))
    None
    """
    if isinstance(error, LatentlabError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return _of_file(error)
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    if isinstance(error, MemoryError) or any(each in said for each in _OF_MEMORY):
        advice = ["lower `batch`", "end other programs"]
        return LatentlabError(f"memory has run out ({reason(error)})", advice=advice)
    return None


def _of_file(error: OSError) -> LatentlabError | None:
    """Tell of a file or folder that may not be used; one that is missing would be known before."""
    if error.errno in _OF_OUTPUT:
        return OutputError(f"{error.filename}: cannot be written ({error.strerror}); choose "
                           "another place or free space")  # fmt: skip
    if error.errno == errno.ENAMETOOLONG:
        return DataError(f"{str(error.filename)[:60]}...: no name that a file can have "
                         f"({error.strerror})")  # fmt: skip
    if isinstance(error, PermissionError):
        return DataError(f"{error.filename}: may not be used ({error.strerror}); ask for access")
    return None
