# Commands of the author's repository, included by the Makefile: what students get does not have this file.

.PHONY: demo test lint picture publish

demo: ## boot the kernel to its shell, grade a starter and a reference, show both score boards
	@$(SET_UP) build
	@$(PYTHON) tools/demo.py

test: ## check everything: style, the grader, the baseline, and that every lab proves itself (minutes)
	@$(SET_UP) build check
	@$(PYTHON) tools/test.py $(ARGUMENTS)

lint: ## check formatting, types and style
	@$(SET_UP) build check
	@$(PYTHON) tools/lint.py

picture: ## make docs/board.svg, the score board in the README
	@$(SET_UP) build
	@$(PYTHON) tools/picture.py

publish: ## make or update the repository that students get: DIR=folder [LAB=name]
	@$(if $(DIR),,echo 'Where to? make publish DIR=../course' >&2; exit 2)
	@./lab publish "$(DIR)" $(if $(LAB),--lab "$(LAB)")
