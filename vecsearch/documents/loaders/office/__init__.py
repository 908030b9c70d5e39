"""Documents of office programs: text, slides, sheets and books, in zips of XML; sheets of before 2007 too."""
