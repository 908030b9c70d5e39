"""Documents of office programs: text, slides, sheets and books, of today in zips of XML, of before 2007 in OLE containers."""
