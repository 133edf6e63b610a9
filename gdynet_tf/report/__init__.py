"""From the results of a run to verdicts, tables, figures and one page."""

from gdynet_tf.report.analyse import analyse
from gdynet_tf.report.atomistic import ReportOptions
from gdynet_tf.report.html import report_paths, write_report
from gdynet_tf.report.results import Analysis

__all__ = ["Analysis", "ReportOptions", "analyse", "report_paths", "write_report"]
