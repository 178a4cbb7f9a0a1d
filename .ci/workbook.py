"""Opens a workbook as a spreadsheet program would and checks what stands in its cells."""
import sys

import openpyxl

SHEETS = ["Summary", "Sources", "Findings", "Evidence", "Rules", "Data quality"]

book = openpyxl.load_workbook(sys.argv[1])
assert book.sheetnames == SHEETS, book.sheetnames
for sheet in book:
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type in "sn", f"{sheet.title}!{cell.coordinate} is of type {cell.data_type}"
            assert cell.hyperlink is None, f"{sheet.title}!{cell.coordinate} is a link"
sources = book["Sources"]
header = [cell.value for cell in sources[1]]
for name in ("traffic_source", "source", "verdict"):
    column = header.index(name)
    values = [row[column] for row in sources.iter_rows(min_row=2)]
    assert values and all(cell.data_type == "s" for cell in values), f"{name} is not text"
clicks = header.index("clicks")
assert all(row[clicks].data_type == "n" for row in sources.iter_rows(min_row=2)), "clicks are no numbers"
assert sources.auto_filter.ref and sources.freeze_panes == "A2"
print(f"{sources.max_row - 1} sources, {book['Evidence'].max_row - 1} tests: IDs are text, numbers are numbers, no formula, no link")
