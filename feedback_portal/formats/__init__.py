"""How each language writes a day and a moment. Templates name what they mean, as in {{ at|date:"MOMENT" }}.

DAY 21 Nov · DAY_YEAR · LONG_DAY 21 November · LONG_DAY_YEAR · MOMENT day and time · MOMENT_YEAR · LONG_MOMENT · LONG_MOMENT_YEAR ·
EXACT_MOMENT to the second · WHOLE_MOMENT with year and zone, for a tooltip.
"""
