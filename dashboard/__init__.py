"""The pages of the dashboard: widgets and words; every number comes from the same face as the command line."""
