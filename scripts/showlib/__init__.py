"""What the lines of scripts/show.d share."""
