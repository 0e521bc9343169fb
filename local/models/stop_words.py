"""Words of English, German and French that tell nothing of what a text is about."""

_ENGLISH = """
    about above after all also am an and any are as at be been before between but by can could
    did do does down for from had has have he her his how if in into is it its may me more most
    my no not of off on one only or other our out over own per same she should so some such than
    that the their them then there these they this those through to two under up us very was we
    were what when where which while who will with would you your
"""
_GERMAN = """
    aber als am an auch auf aus bei bin bis das dass dem den der des die dies diese dieser ein
    eine einem einen einer eines er es fur haben hat ich ihr ihre im in ist mein meine mit nach
    nicht noch nur oder sein seine sich sie sind uber um und uns unser vom von vor war wir wird
    zu zum zur
"""
_FRENCH = """
    au aux avec bien ce ces cette dans de des deux du elle en est et il ils je la le les leur ma
    mes mon ne nos notre nous on ou par pas plus pour qu que qui sa sans se ses son sont sur un
    une vos votre vous
"""

STOP_WORDS = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH}".split())
"""Lower case and without accents, as in prepared text."""
