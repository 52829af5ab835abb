"""`mmnb.diagnose(model, data)`: one call, one report, on a model of one's own.

    report = mmnb.diagnose(f, mmnb.Data(image=pixels, text=tokens, y=labels))
    report.save("report.html")

One pass over mixed pairs feeds most sections; what cannot be measured is a line with its reason. The report is plain data (`.json`), from
which page, text and tables are made.
"""

from mmnb.diagnosis.data import Data, Embeddings, Scores
from mmnb.diagnosis.plan import Plan
from mmnb.diagnosis.report import Alert, Report, Section
from mmnb.diagnosis.run import diagnose

__all__ = ["Alert", "Data", "Embeddings", "Plan", "Report", "Scores", "Section", "diagnose"]
