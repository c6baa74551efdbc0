"""Images for cards: the system of a board as a file that is flashed, in two slots (docs/design/board.md)."""
