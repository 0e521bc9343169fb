"""What can stand in the way of a local run: each is one sentence that says what to do."""


class Obstacle(Exception):
    """Something that the person at the keyboard can put right; its message says how."""


class ServerDied(Obstacle):
    """A server ended by itself; the run ends with it, because its clients cannot go on."""
