"""Facts out of files: Hub-style configurations and the headers of weight files."""
