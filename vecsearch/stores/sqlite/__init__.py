"""Where does a database folder keep things? Takes and gives the values of `stores.base`; lets no SQL and no distance out."""
