# SPDX-License-Identifier: MIT
#
# drive.zsh SHELL...: runs an interactive shell in a terminal of its own, and types lines from stdin
# there. Prints an answer for each line, which the shell writes to the FIFO ANSWERS. The shell must
# have read its setup file of this folder: it says "ready", and then TAB completes, C-x s answers with
# the line, and C-x l with the candidates.
zmodload zsh/zpty
# Opened once, so that no answer is lost between two openings.
exec {answers}<>$ANSWERS
# Without -b, a read waits for the end of a line, which a prompt does not have.
zpty -b terminal "${(@q)@}"
IFS= read -r -u $answers answer
while IFS= read -r line; do
  while zpty -r -t terminal output; do :; done
  zpty -w -n terminal "$line"
  IFS= read -r -u $answers answer
  print -r -- "$answer"
done
zpty -d terminal
