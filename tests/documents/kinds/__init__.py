"""Each kind of fault that real documents showed, in every format and place where it can stand."""
