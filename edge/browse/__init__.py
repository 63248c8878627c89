"""`python -m edge browse URL`: what a server or a broker has, as a draft of a plant file."""
