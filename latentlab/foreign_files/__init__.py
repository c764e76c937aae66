"""Files from anywhere, before anybody knows what is in them: opened once, and held to bounds."""
