# The commands a person types. Each installs what it needs (saying so first) and then only calls ./lab or a script of
# tools/; nothing is decided here.

.DEFAULT_GOAL := help
.PHONY: help setup start run debug grade watch submit bench format editor clean
MAKEFLAGS += --no-print-directory

SET_UP := tools/set_up.sh
# The environment's own interpreter, for the scripts of tools/, which find the grader's package here.
PYTHON = PYTHONPATH=. "$$($(SET_UP) python)/bin/python"

help: ## this list
	@echo 'Kernelist: a course in operating-system design that grades itself'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; \
	    do printf '%-14s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'More than these do: ./lab --help'

setup: ## install everything the commands below need
	@$(SET_UP) build check

start: ## begin with a lab: LAB=name [DIR=a folder of its own]
	@$(if $(LAB),,echo 'Which lab? make start LAB=boot, for one; ./lab list names all.' >&2; exit 2)
	@./lab start "$(LAB)" $(if $(DIR),--folder "$(DIR)")

run: ## boot to the shell in this terminal [LAB=name] [ANSWER=...] [WINDOW=1 for a window]
	@$(SET_UP) build
	@./lab run $(if $(LAB),"$(LAB)") $(if $(ANSWER),--answer "$(ANSWER)") $(if $(WINDOW),--display)

debug: ## open GDB at kernel_main, or where a test fails [LAB=name] [TEST=name] [ANSWER=...] [PROGRAM=...]
	@$(SET_UP) build debug
	@$(if $(TEST),$(if $(LAB),,echo 'Which lab? make debug LAB=boot TEST=$(TEST)' >&2; exit 2))
	@./lab debug $(if $(LAB),"$(LAB)") $(if $(TEST),"$(TEST)") $(if $(ANSWER),--answer "$(ANSWER)") \
	    $(if $(PROGRAM),--program "$(PROGRAM)")

grade: ## grade an answer: [LAB=name] [ANSWER=starter|reference|stage:2|mutant:name|path] [TEST=name]
	@$(SET_UP) build
	@./lab grade $(if $(LAB),"$(LAB)") $(if $(ANSWER),--answer "$(ANSWER)") $(if $(TEST),--only "$(TEST)")

watch: ## grade again at each save: [LAB=name] [ANSWER=...] [TEST=name]
	@$(SET_UP) build
	@./lab watch $(if $(LAB),"$(LAB)") $(if $(ANSWER),--answer "$(ANSWER)") $(if $(TEST),--only "$(TEST)")

submit: ## grade your files once more and pack what is handed in [LAB=name] [ANYWAY=1]
	@$(SET_UP) build
	@./lab submit $(if $(LAB),"$(LAB)") $(if $(ANYWAY),--anyway)

bench: ## measure the speed of everything, beside the budgets
	@$(SET_UP) build
	@./lab bench $(LAB)

format: ## format C and Python files
	@$(PYTHON) tools/lint.py --fix

editor: ## write compile_commands.json for clangd
	@$(SET_UP) build
	@$(PYTHON) tools/compile_commands.py

clean: ## remove all that was made: the environment, builds, reports
	rm -rf .venv .venv.lock .cache report compile_commands.json .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What only the author's repository has.
-include tools/author.mk
