"""What commands print: tables, plots, progress and marked-up text."""
