"""wstest, the command of Autobahn|Testsuite, without what our use of it does not need.

It imports TLS, which would have to be built from C, and unittest2, which became unittest.
"""

import sys
import types
import unittest

import twisted.internet

ssl = types.ModuleType("twisted.internet.ssl")
ssl.ClientContextFactory = lambda: None  # asked for on every connection, used on TLS ones
sys.modules[ssl.__name__] = twisted.internet.ssl = ssl
sys.modules["unittest2"] = unittest

from autobahntestsuite import wstest  # noqa: E402

wstest.run()
