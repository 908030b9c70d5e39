"""The binary formats of Word and PowerPoint before 2007: their records in OLE containers, which office/ole.py opens."""
