"""The cast. Every test that needs a person takes one from here, so that a name says what to expect.

Anna writes English and behaves. Boris writes Russian. Chen has spent everything. Dalia writes Arabic
and long. Staff are Sofia (Support) and Felix (Finance).
"""

ANNA = 1001
BORIS = 1002
CHEN = 1003
DALIA = 1004
