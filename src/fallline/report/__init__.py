"""What a reading looks like: tables, the verdict, figures and the page."""
