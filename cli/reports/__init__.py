"""Tables, plots and pages, as they are written."""
