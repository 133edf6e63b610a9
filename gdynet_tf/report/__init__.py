"""From the results of a run to verdicts, tables, figures and one page."""

from gdynet_tf.report.analyse import Analysis, analyse
from gdynet_tf.report.atomistic import ReportOptions
from gdynet_tf.report.html import write_report

__all__ = ["Analysis", "ReportOptions", "analyse", "write_report"]
