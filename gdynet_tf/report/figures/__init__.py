"""The figures of a report: the one list of them, and how all are drawn and saved with their numbers."""

from gdynet_tf.report.figures.catalogue import FIGURES
from gdynet_tf.report.figures.drawing import Figure, FigureSpec, draw_figures

__all__ = ["FIGURES", "Figure", "FigureSpec", "draw_figures"]
