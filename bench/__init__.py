"""Speed as CPU seconds and ratios, one file a subject; never a test."""
