[
  inputs: ["{mix,.formatter}.exs", "{bench,lib,mix,test}/**/*.{ex,exs}"],
  line_length: 110
]
