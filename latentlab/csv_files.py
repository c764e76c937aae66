"""CSV as people have it: from any spreadsheet, in the text that the library reads.

Tables come with commas, semicolons (where numbers have decimal commas) or tabs between cells, and
as UTF-8 with or without a byte order mark, or as UTF-16, which Excel calls Unicode text.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import DataError, reason
from latentlab.foreign_files.opening import read_regular

_LARGEST = 2**28  # bytes: 100,000 faces with 68 points take half of it
_DELIMITERS = (",", ";", "\t")
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_IN_QUOTES = re.compile('"[^"]*"?')
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


@dataclass(frozen=True)
class CsvTable:
    """The cells of a table.

    Attributes:
        columns: The names in the first line.
        rows: The cells of each other line that is not empty, as many as there are columns.
        lines: The numbers of those lines in the file.
    """

    columns: list[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]


def read_csv(path: Path) -> CsvTable:
    """Read a table; its first line decides what is between cells.

    Raises:
        DataError: If it is not text in UTF-8, nor in UTF-16 with its mark; or no table.
        OSError: If it cannot be read.
    """
    text = _text(path)
    first = _IN_QUOTES.sub("", text.lstrip("\r\n").partition("\n")[0])
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    columns: list[str] = []
    rows, lines, read = list[list[str]](), list[int](), 0
    try:
        for cells in reader:
            read = reader.line_num
            if cells and not columns:
                columns = [name.strip() for name in cells]
            elif cells:
                _check_count(cells, columns, f"{path}, line {read}", delimiter)
                rows.append(cells)
                lines.append(read)
    except csv.Error as error:
        raise DataError(f"{path}, after line {read}: is not CSV ({reason(error)})") from error
    return CsvTable(columns, rows, lines)


def _text(path: Path) -> str:
    content = read_regular(path, _LARGEST)
    wide = content.startswith(_WIDE_MARKS)
    if b"\0" in content and not wide:
        raise DataError(f"{path}: holds zero bytes, perhaps of UTF-16; save it as CSV in UTF-8")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if wide:
            raise DataError(f"{path}: damaged text in UTF-16; save it as UTF-8") from error
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: is not text in UTF-8 (Latin-1 or Windows-1252, perhaps); save "
            "it as CSV in UTF-8"
        ) from error
    return text


def _check_count(cells: Sequence[str], columns: Sequence[str], where: str, delimiter: str) -> None:
    if len(cells) == len(columns):
        return
    hint = ""
    if len(cells) > len(columns) and delimiter == ",":
        hint = "; if numbers have decimal commas, write them with points"
    raise DataError(f"{where}: does not have as many cells as the first line{hint}")


def number_hint(cell: str) -> str:
    """Return what to say of a cell that is no number: a decimal comma can be the reason.

    >>> number_hint("12,5")
    ' (a decimal comma: write 12.5)'
    >>> number_hint("twelve")
    ''
    """
    if not _DECIMAL_COMMA.fullmatch(cell):
        return ""
    return f" (a decimal comma: write {cell.strip().replace(',', '.')})"
