"""Pure arithmetic on whole numbers: no record is seen here, and nothing is looked up."""
