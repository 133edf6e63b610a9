"""How far the targets move in each state and transition, and what that conducts."""
