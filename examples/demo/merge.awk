# Adds up tables of counts (count, word): total, number of tables with the word, the word.
{ total[$2] += $1; tables[$2] += 1 }
END { for (word in total) print total[word], tables[word], word }
