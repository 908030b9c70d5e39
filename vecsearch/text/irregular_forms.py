"""Forms of English words that no stemmer leads back to them: went, mice. A table, and nothing else."""

from __future__ import annotations

from typing import Final

_ENGLISH: Final = """
arise arose arisen/awake awoke awoken/bear bore borne/beat beaten/become became/begin began begun/bend bent/bind
bound/bite bit bitten/bleed bled/blow blew blown/break broke broken/breed bred/bring brought/build built/burn burnt/buy
bought/catch caught/choose chose chosen/cling clung/come came/creep crept/deal dealt/dig dug/do did done does/draw drew
drawn/dream dreamt/drink drank drunk/drive drove driven/eat ate eaten/fall fell fallen/feed fed/feel felt/fight
fought/find found/flee fled/fling flung/fly flew flown/forbid forbade forbidden/forget forgot forgotten/forgive forgave
forgiven/freeze froze frozen/get got gotten/give gave given/go went gone goes/grind ground/grow grew grown/hang hung/have had
has/hear heard/hew hewn/hide hid hidden/hold held/keep kept/kneel knelt/know knew known/lay laid/lead led/lean
leant/leap leapt/learn learnt/leave left/lend lent/lie lay lain/light lit/lose lost/make made/mean meant/meet met/mow
mown/pay paid/prove proven/ride rode ridden/ring rang rung/rise rose risen/run ran/saw sawn/say said/see saw seen/seek
sought/sell sold/send sent/sew sewn/shake shook shaken/shear shorn/shine shone/shoot shot/show shown/shrink shrank
shrunk/sing sang sung/sink sank sunk/sit sat/slay slew slain/sleep slept/slide slid/sling slung/sow sown/speak spoke
spoken/speed sped/spell spelt/spend spent/spin spun/spit spat/spring sprang sprung/stand stood/steal stole stolen/stick
stuck/sting stung/stink stank stunk/stride strode stridden/strike struck stricken/string strung/strive strove
striven/swear swore sworn/sweep swept/swell swollen/swim swam swum/swing swung/take took taken/teach taught/tear tore
torn/tell told/think thought/throw threw thrown/tread trod trodden/undergo underwent undergone/understand
understood/undertake undertook undertaken/undo undid undone/wake woke woken/wear wore worn/weave wove woven/weep
wept/win won/wind wound/withdraw withdrew withdrawn/withstand withstood/wring wrung/write wrote written/child
children/foot feet/goose geese/knife knives/leaf leaves/life lives/loaf loaves/louse lice/man men/mouse mice/ox
oxen/person people/shelf shelves/thief thieves/tooth teeth/wife wives/wolf wolves/woman women/half halves/self
selves/calf calves/axis axes/crisis crises/analysis analyses/criterion criteria/phenomenon phenomena/bad worse
worst/good better best
"""

IRREGULAR_FORMS: Final = {  # language → word → its forms
    "en": {word: tuple(forms) for word, *forms in (line.split() for line in _ENGLISH.split("/"))}
}
