"""What is none of the known types: a poem, a recipe, a manual."""

from making.sample import Sample

_POEM = """\
Harbour Lights

The tide goes out without a word,
the mud begins to shine,
and somewhere past the bar is heard
a bell that keeps no time.

The lamps along the harbour wall
lean down to see their own,
each trembling, thin and very tall,
on water dark as stone.

A boat comes in. It brings no news,
some rope, a little rain,
a man who stamps his heavy shoes
and walks up home again.

The tide comes back as it had gone.
The lamps let go, and sleep.
The bell beyond the bar rings on
for what the waters keep.
"""

_RECIPE = """\
# Plum cake with hazelnuts

Serves eight. Takes twenty minutes, and an hour in the oven.

## Ingredients

| Quantity | Ingredient            |
|----------|-----------------------|
| 600 g    | ripe plums, halved    |
| 200 g    | soft butter           |
| 180 g    | brown sugar           |
| 4        | eggs                  |
| 220 g    | flour                 |
| 80 g     | hazelnuts, ground     |
| 1 pinch  | salt                  |

## Method

1. Heat the oven to 175 °C and butter a round tin.
2. Beat butter and sugar until pale, then stir in the eggs one by one.
3. Fold in flour, nuts and salt. Spread the batter in the tin.
4. Press the plums into it, cut side up, close together.
5. Bake for about an hour, until a needle comes out clean.

Let it cool in the tin. It is better on the second day, if there is one.
"""

_MANUAL = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Bicycle pump</title></head>
<body>
<h1>Using your floor pump</h1>
<h2>Before you start</h2>
<ul>
<li>Wear glasses when you fill a tyre above 6 bar.</li>
<li>Never point the hose at anybody.</li>
</ul>
<h2>Filling a tyre</h2>
<ol>
<li>Turn the wheel until the valve is at the top.</li>
<li>Push the head on to the valve and lift the lever.</li>
<li>Pump until the needle shows the pressure printed on the tyre.</li>
<li>Press the lever down and pull the head off in one movement.</li>
</ol>
<h2>Troubleshooting</h2>
<table>
<tr><th>What you see</th><th>What to do</th></tr>
<tr><td>The needle does not move</td><td>Lift the lever fully; turn the rubber seal round</td></tr>
<tr><td>Air escapes at the head</td><td>Push the head further on; grease the seal</td></tr>
</table>
</body>
</html>
"""


def samples() -> list[Sample]:
    """All documents of no known type."""
    return [
        Sample("poem.txt", "other", "a document of no known type", _POEM.encode),
        Sample(
            "recipe.md",
            "other",
            "quantities in a table, and yet no invoice",
            _RECIPE.encode,
        ),
        Sample(
            "manual.html",
            "other",
            "sections and a table, and yet no report",
            _MANUAL.encode,
        ),
    ]
