"""Mail in every form that it is kept in, and web pages kept like mail."""
