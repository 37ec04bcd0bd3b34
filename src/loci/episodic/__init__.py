"""What happened, when and where: a short-term memory of recent changes and a long-term memory of everything kept."""
