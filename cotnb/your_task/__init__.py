"""Your task: a file of questions in, a tuned student and a one-page report out.

The steps, one module each, in the order that `flow` takes them:

    questions      a file read and checked, every line that is left out named
    answer_types   of which type its answers are
    own_rationales what answer the file's own rationales state
    splitting      training and test questions, without a shared template
    teaching       rationales: the file's own, another file's, a teacher's
    recommending   how to tune, by rules that say why
    room           what a student has positions for
    fitting        pairs to tune on, none too long
    comparing      students asked before tuning and after it, paired differences
    exporting      the tuned student as a folder of its own
    report         one page and a figure

`wishes` holds what a user asks for, `command` is the command line's front.
"""
