"""Small programs for those who work on Switchgear; the Makefile runs them. Nothing here is shipped."""
